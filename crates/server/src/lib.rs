//! One port: API, pages and the data plane, each act joined with the handler that does it, and its right checked as
//! it declares.

mod access_log;
mod admission;
mod api;
pub mod app;
mod bearer;
mod body;
mod call;
mod connection;
mod context;
mod gateway;
pub mod guard;
mod head;
pub mod href;
mod incoming;
pub mod limits;
pub mod listen;
mod page;
mod peer;
mod probe;
mod problem;
mod route;
mod router;
mod session;

pub use app::App;
pub use limits::Limits;
pub use listen::{ListenError, ServeOptions, Server};
pub use peer::Peer;
pub use router::{declarations, local_service, router};
