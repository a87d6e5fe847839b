//! The real server over real TLS on loopback: certificates made here, ports chosen by the system.
//! Nothing here asserts how long anything takes.

mod answers;
mod client;
mod client_auth;
mod drain;
mod handshake;
mod limits;
mod ops;
mod pki;
mod rotation;
mod running;
mod warnings;
