//! The service as Odoo sees it: the application that production starts, on a free port.

mod apart;
mod door;
mod fake_odoo;
mod health;
mod listening;
mod metrics;
mod monitoring;
mod odoo_away;
mod pairing;
mod probing;
mod rebinding;
mod renewal;
mod replicas;
mod requests;
mod rotation;
mod secrets;
mod service;
mod sharing;
mod stopping;
mod way;
mod webhook;
