DROP TABLE policy_groups;
DROP TABLE policies;
