//! The results document and its renderings. A report is drawn from the document alone.

pub mod ci;
pub mod design;
pub mod html;
mod plain;
pub mod results;
pub mod series;
pub mod text;
pub mod trace;
pub mod verdict;
pub mod words;

pub use design::Design;
pub use results::{
    Achieved, BookError, ComparisonResult, ContractResult, Expected, Fates, FaultResult, FlowRow, Lateness,
    Ledger, NATIVE, ObjectiveResult, PROGRAM, PlaceRow, ReadError, Recovery, Results, SCHEMA, SeedResult,
    SendRow, Step, Violation,
};
pub use series::Series;
pub use trace::Trace;
pub use verdict::Verdict;
