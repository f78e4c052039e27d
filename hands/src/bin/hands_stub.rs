//! The hands alone, for tests that have real services without the whole command line.
fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(hands::serve())
}
