//! One port: API, pages and the data plane, behind one table of routes in which each declares the right it needs.

mod admission;
pub mod app;
mod body;
mod connection;
mod context;
mod gateway;
pub mod guard;
mod head;
pub mod href;
pub mod limits;
pub mod listen;
mod openapi;
pub mod page;
mod problem;
pub mod route;
mod router;

pub use app::App;
pub use limits::Limits;
pub use listen::{ListenError, ServeOptions, Server};
pub use router::{local_service, router};
