//! `polder bench`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use polder::bench::{DeviceRequest, SHAPES, Setting, Shape, Stepped, Sweep, device_report, grow, step};
use polder::device::{Kind, ThisMachine, Wanted, choose, open};
use serde_json::json;

use super::Ended;
use super::args::BenchArgs;
use super::output::{print, tell};

pub(super) fn run(arguments: &BenchArgs) -> Result<Ended> {
    if let Some(wanted) = arguments.device {
        return report(wanted, arguments);
    }
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let setting = |shape: &Shape| Setting {
        shape: *shape,
        storage: arguments.dtype,
        sequences: arguments.batch as usize,
        length: arguments.length.unwrap_or(16) as usize,
        directions: arguments.directions as usize,
        points_a_pass: arguments.points_a_pass as usize,
        threads: arguments.threads.map_or(cores, usize::from),
        steps: arguments.steps as usize,
    };
    if arguments.growth.is_some() && arguments.shapes.len() > 1 {
        bail!("`--growth` starts from one shape\nhint: call it once for each, with a folder of its own");
    }
    let mut shapes = named(&arguments.shapes)?;
    if shapes.is_empty() {
        shapes.extend(Shape::named("135m"));
    }
    for shape in shapes {
        match &arguments.growth {
            Some(folder) => growth(&setting(&shape), folder, arguments.quiet)?,
            None if arguments.json => print(json!(step(&setting(&shape))?))?,
            None => print(step(&setting(&shape))?)?,
        }
    }
    Ok(Ended::Well)
}

/// The shapes of these names.
fn named(names: &[String]) -> Result<Vec<Shape>> {
    let one = |name: &String| match Shape::named(name) {
        Some(shape) => Ok(*shape),
        None => {
            let all: Vec<String> = SHAPES.iter().map(|s| format!("`{}`", s.name)).collect();
            bail!("there is no shape `{name}`\nhint: one of {}", all.join(", "));
        }
    };
    names.iter().map(one).collect()
}

/// A report on one device, printed and written where it is asked for; one that differs ends with a code of its own.
fn report(wanted: Wanted, arguments: &BenchArgs) -> Result<Ended> {
    let shapes = named(&arguments.shapes)?;
    let chosen = choose(wanted, &ThisMachine).map_err(polder::Error::from)?;
    let device = open(&chosen)?;
    tell(arguments.quiet, format!("device: {chosen}"));
    let mut request = DeviceRequest::usual(chosen.kind);
    if !shapes.is_empty() {
        request.shapes = shapes;
    }
    request.storage = arguments.dtype;
    request.offload = arguments.offload;
    (request.batch, request.steps) = (arguments.batch as usize, arguments.steps as usize);
    request.length = arguments.length.map_or(request.length, |length| length as usize);
    request.threads = arguments.threads.map_or(request.threads, usize::from);
    request.bandwidth = arguments.bandwidth.map(|rate| 1e9 * rate);
    let name = if chosen.kind == Kind::Cpu { "cpu".to_owned() } else { format!("{}:{}", chosen.kind, chosen.index) };
    let found = device_report(&name, &device, &request, &mut |part| tell(arguments.quiet, part))?;
    let json = serde_json::to_string_pretty(&found)?;
    if let Some(folder) = &arguments.out {
        fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        for (name, text) in [("device.json", &json), ("device.md", &found.page())] {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    print(if arguments.json { json } else { found.page().trim_end().to_owned() })?;
    Ok(if found.agrees() { Ended::Well } else { Ended::Outside })
}

/// The steps of a setting, taken by a process of its own, so that its memory is its own; `None` where memory has no room.
fn measured(setting: &Setting) -> Result<Option<Stepped>> {
    let weights = setting.shape.parameters()? as u64 * setting.storage.bytes() as u64;
    if polder::memory::available().is_some_and(|free| weights > free) {
        return Ok(None);
    }
    let numbers = [
        ("--batch", setting.sequences),
        ("--length", setting.length),
        ("--directions", setting.directions),
        ("--points-a-pass", setting.points_a_pass),
        ("--threads", setting.threads),
        ("--steps", setting.steps),
    ];
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["bench", "--json", "--shape", setting.shape.name, "--dtype", setting.storage.name()]);
    command.args(numbers.iter().flat_map(|(name, n)| [(*name).to_owned(), n.to_string()]));
    let out = command.stderr(Stdio::inherit()).output().context("cannot start this program again")?;
    if !out.status.success() {
        bail!("the steps of `{}` failed", setting.shape.name);
    }
    Ok(Some(serde_json::from_slice(&out.stdout).context("the answer of the steps is no JSON")?))
}

/// All sweeps, written to a folder: growth.json, growth.md and a chart each.
fn growth(base: &Setting, folder: &Path, quiet: bool) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    };
    let (mut all, mut text) = (Vec::new(), String::new());
    for sweep in Sweep::ALL {
        let growth = grow(sweep, base, &mut |setting| {
            let done = measured(setting)?;
            match &done {
                Some(done) => tell(quiet, done),
                None if sweep == Sweep::Parameters => {
                    tell(quiet, format!("{} does not fit into memory", setting.shape.name))
                }
                None => bail!(
                    "`{}` does not fit into memory\nhint: a smaller shape, or a smaller `--dtype`",
                    setting.shape.name
                ),
            }
            Ok(done)
        })?;
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}", growth.table());
        write(&format!("{}.svg", sweep.name()), &growth.svg())?;
        all.push(growth);
        write("growth.json", &serde_json::to_string_pretty(&all)?)?;
        write("growth.md", &text)?;
    }
    print(text.trim_end())?;
    Ok(())
}
