mod binary;
mod bootstrap;
mod golden;
mod metric;
mod proportion;
mod quantile;
mod regression;
