//! The results document and its renderings. A report is drawn from the document alone.

pub mod results;
pub mod text;
pub mod verdict;

pub use results::{
    Achieved, BookError, ContractResult, Fates, FaultResult, FlowRow, Lateness, Ledger, NATIVE,
    ObjectiveResult, PROGRAM, PlaceRow, ReadError, Recovery, Results, SCHEMA, SeedResult, SendRow, Step,
    Violation,
};
pub use verdict::Verdict;
