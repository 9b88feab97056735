//! The program itself: what it says on the command line and what it leaves on the disk.

mod configuration;
mod keys;
mod odoo;
mod probe;
mod program;
mod serve;
