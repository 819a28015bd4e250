//! The client against the test server, and `huggingface_hub` against the same server.

mod data;
mod faults;
mod fetch;
mod place;
mod publish;
mod python;
