//! A scenario that is added to the folder of the shipped ones has to be embedded anew.
fn main() {
    emit("cargo:rerun-if-changed=../scenarios");
}

/// Build scripts talk to cargo on standard output.
#[allow(clippy::print_stdout)]
fn emit(line: &str) {
    println!("{line}");
}
