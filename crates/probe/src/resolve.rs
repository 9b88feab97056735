//! Who knows the addresses of a name.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The addresses of a name, in the order in which to try them.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks names up. It is asked once for each connection, and what it answers is
/// checked before anything is dialled.
pub trait Resolve: Send + Sync {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a>;
}

/// What the system is configured to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move {
            // The port plays no part in it.
            let addresses = tokio::net::lookup_host((name, 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}
