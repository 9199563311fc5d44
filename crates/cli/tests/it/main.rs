//! Stories told through the binary, each in a folder of its own.

mod bad_input;
mod batch;
mod care;
mod cases;
mod data;
mod delivery;
mod desk;
mod diff;
mod help;
mod history;
mod imports;
mod lineage;
mod loss;
mod memory;
mod models;
mod onnx;
mod owner;
mod pages;
mod remotes;
mod reproduction;
mod runs;
mod serving;
mod together;
mod validate;
mod values;
mod witness;
