DROP TABLE codes;
DROP TABLE visits;
DROP TABLE invitations;
