DROP TABLE activation_files;
