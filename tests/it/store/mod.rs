//! What the store promises to everybody else, on both databases.

mod audit;
mod certificates;
mod codes;
mod commands;
mod devices;
mod durability;
mod enrollments;
mod fixture;
mod jobs;
mod leases;
mod mails;
mod migrations;
mod outages;
mod policies;
mod schema;
mod settings;
mod tallies;
mod tokens;
mod transactions;
mod users;
mod visits;
