//! Probes as their callers see them, against real servers and broken ones.

mod attacks;
mod check;
mod egress;
mod faults;
mod http;
mod mongodb;
mod mysql;
mod postgres;
mod postgres_faults;
mod postgres_tls;
mod supabase;
mod superset;
