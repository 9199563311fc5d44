mod binary;
mod bootstrap;
mod drift;
mod golden;
mod metric;
mod proportion;
mod quantile;
mod regression;
