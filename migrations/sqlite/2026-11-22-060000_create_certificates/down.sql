DROP TABLE certificates;
DROP TABLE challenges;
