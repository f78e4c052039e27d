//! The executor and the proxy of a task alone, for tests that start real sandboxes without the whole command line.
fn main() -> std::process::ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some(guard::proxy::PROXY) => {
            guard::proxy::process::serve(words.next().and_then(|holder| holder.parse().ok()))
        }
        _ => guard::executor::serve(),
    }
}
