//! The service as Odoo sees it: the application that production starts, on a free port.

mod door;
mod fake_odoo;
mod health;
mod odoo_away;
mod probing;
mod requests;
mod secrets;
mod service;
mod stopping;
