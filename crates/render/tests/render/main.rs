//! Documents of every format, as a reader gets them.

mod golden;
mod hostile;
mod readers;
mod samples;
mod seed;
