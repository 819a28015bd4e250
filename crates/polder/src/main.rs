//! `polder`: fine-tunes language models with forward passes only.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
