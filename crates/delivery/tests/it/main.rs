//! Stories of a whole home, without HTTP.

mod alterations;
mod by_command;
mod collect;
mod compare;
mod delivery;
mod family;
mod feedback;
mod folders;
mod gates;
mod history;
mod judging;
mod leak;
mod lineage;
mod numbers;
mod promotion;
mod purge;
mod refusals;
mod report;
mod reproduction;
mod search;
mod serving;
mod two_predictions;
mod validate;
mod verify;
mod world;
