//! What is done from pages: each act as the API does it, by whoever is signed in; then the page is shown again.

pub mod endpoint;
pub mod request;
pub mod version;
