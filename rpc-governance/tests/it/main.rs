//! The layers, alone. Time stands still.

mod deadline;
mod load;
