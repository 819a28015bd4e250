//! The command line.

mod args;
mod bench;
mod chat;
mod compare;
mod eval;
mod export;
mod fault;
mod generate;
mod output;
mod pace;
mod plan;
mod predict;
mod progress;
mod prompts;
mod publish;
mod replay;
mod report;
mod reproduce;
mod samples;
mod sharpness;
mod subject;
mod theory;
mod train;
mod transfer;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    /// By Ctrl-C, after everything was put in order.
    Interrupted,
    /// With a value outside of its tolerance.
    Outside,
}

/// Reads the arguments, runs the command, says what went wrong.
pub(crate) fn main() -> ExitCode {
    // Help goes to stdout with code 0, wrong usage to stderr with code 2.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // The reader of a help page may be gone already.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if arguments.offline {
        polder::hub::set_offline();
    }
    let ended = match arguments.command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Publish(arguments) => publish::run(&arguments),
        Command::Theory(arguments) => theory::run(&arguments),
        Command::Sharpness(arguments) => sharpness::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Reproduce(arguments) => reproduce::run(&arguments),
    };
    match ended {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(130),
        Ok(Ended::Outside) => ExitCode::FAILURE,
        Err(error) => fault::report(&error),
    }
}
