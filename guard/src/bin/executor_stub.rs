//! The executor alone, for tests that start real sandboxes without the whole command line.
fn main() -> std::process::ExitCode {
    guard::executor::serve()
}
