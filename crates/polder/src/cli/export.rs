//! `polder export`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use polder::device::Wanted;
use polder::export::{Exported, Form, WeightType};

use super::Ended;
use super::args::LoadArgs;
use super::output::{print, tell};
use super::subject::Subject;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A Hugging Face folder, a GGUF file, a run folder (its best weights), or hf://owner/name
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The folder (safetensors) or the .gguf file to write
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// safetensors or gguf [default: as OUT ends: .gguf, or a folder of safetensors]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// f32, f16, bf16, or in a GGUF file q8_0 [default: as the files of a folder hold them; f32 for quantised ones]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<WeightType>,
    /// The base model, where MODEL is a trajectory alone and its base is not where it was
    #[arg(long, value_name = "MODEL")]
    base: Option<PathBuf>,
    /// Print errors only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Safetensors,
    Gguf,
}

pub(super) fn run(arguments: &ExportArgs) -> Result<Ended> {
    let form = form(arguments)?;
    polder::export::check(&arguments.out, form, arguments.kind)?;
    let load = LoadArgs { base: arguments.base.clone(), device: Wanted::Cpu, ..LoadArgs::default() };
    let subject = Subject::load(&arguments.model, &load, arguments.quiet)?;
    let Exported { bytes, kind, notes } =
        polder::export::export(&subject.model.loaded, &arguments.out, form, arguments.kind)?;
    for note in notes {
        tell(arguments.quiet, format!("note: {note}"));
    }
    if !arguments.quiet {
        let (out, form, size) = (arguments.out.display(), form.name(), bytes as f64 / f64::from(1 << 20));
        print(format!("`{out}` written as {form} in {kind}, {size:.1} MiB"))?;
    }
    Ok(Ended::Well)
}

/// The wanted format, which the place's name must not contradict.
fn form(arguments: &ExportArgs) -> Result<Form> {
    let named = is_gguf(&arguments.out);
    match arguments.format {
        Some(FormatArg::Gguf) if !named => {
            bail!("`{}` is no name of a GGUF file\nhint: let it end in .gguf", arguments.out.display())
        }
        Some(FormatArg::Safetensors) if named => {
            bail!("`{}` is to be a folder\nhint: leave .gguf out, or export as gguf", arguments.out.display())
        }
        _ if named => Ok(Form::Gguf),
        _ => Ok(Form::Safetensors),
    }
}

fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}
