//! Stories told through the binary, each in a folder of its own.

mod bad_input;
mod desk;
mod help;
mod onnx;
mod owner;
mod serving;
mod stories;
