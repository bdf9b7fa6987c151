//! What a client was told has happened has happened, whenever the server is killed.

mod chaos;
mod death;
mod phones;
mod start_stop;
