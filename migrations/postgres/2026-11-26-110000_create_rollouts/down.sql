DROP TABLE ladders;
DROP TABLE rollouts;
