//! One report on one device: is it right, and how fast is it.

mod checks;
mod page;
mod rates;

use candle_core::Device;
use polder_models::StorageType;
use serde::Serialize;

pub use checks::Check;
pub use rates::Rate;

use super::step::{Setting, Stepped, step_on};
use super::{SHAPES, Shape};
use crate::config::Arithmetic;
use crate::device::{Architecture, Card, Kind, Place, Work, room, size_of, title};
use crate::error::Result;

/// What a report is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRequest {
    /// The models whose steps are timed; those that do not fit are passed over with a word.
    pub shapes: Vec<Shape>,
    /// How weights are held.
    pub storage: StorageType,
    /// Sequences of a batch.
    pub batch: usize,
    /// Tokens of a sequence.
    pub length: usize,
    /// Timed steps of each.
    pub steps: usize,
    /// Threads of the CPU.
    pub threads: usize,
    /// Bytes a second of the device's memory, where the table of cards does not know it.
    pub bandwidth: Option<f64>,
    /// Weights that rates are measured on.
    pub weights: usize,
    /// Whether the weights of timed models stay in the computer's memory.
    pub offload: bool,
}

impl DeviceRequest {
    /// What is asked of a device of that kind: published shapes of a GPU, a tiny one of the CPU.
    pub fn usual(kind: Kind) -> Self {
        let names: &[&str] = match kind {
            Kind::Cpu => &["tiny"],
            _ => &["opt-125m", "opt-1.3b", "llama-7b", "opt-13b"],
        };
        Self {
            shapes: SHAPES.iter().filter(|shape| names.contains(&shape.name)).copied().collect(),
            storage: StorageType::Bf16,
            batch: 16,
            length: 128,
            steps: 5,
            threads: std::thread::available_parallelism().map_or(1, Into::into),
            bandwidth: None,
            weights: if kind == Kind::Cpu { 1 << 20 } else { 1 << 28 },
            offload: false,
        }
    }
}

/// What was found of a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceReport {
    /// The version that made the report.
    pub polder: &'static str,
    /// The system and the processor's architecture.
    pub system: String,
    /// The device's name here: `cpu`, `cuda:0`.
    pub device: String,
    /// What its maker calls it.
    pub title: String,
    /// All its memory, in bytes, where it tells.
    pub memory: Option<u64>,
    /// Bytes a second that its memory is said to give.
    pub bandwidth: Option<f64>,
    /// Where that figure is from.
    pub bandwidth_source: Option<String>,
    /// Held against the CPU.
    pub checks: Vec<Check>,
    /// Bytes a second that kernels reach.
    pub rates: Vec<Rate>,
    /// Sequences of a batch.
    pub batch: usize,
    /// Tokens of a sequence.
    pub length: usize,
    /// Whether the weights of timed models stayed in the computer's memory.
    pub offload: bool,
    /// Steps of models with random weights.
    pub steps: Vec<DeviceStep>,
}

/// A model's steps on a device, or why there are none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceStep {
    /// The model.
    pub shape: &'static str,
    /// What it takes by formula, in bytes.
    pub needs: Option<u64>,
    /// What its steps took.
    pub took: Option<Stepped>,
    /// Seconds by the roofline, of a card that is known.
    pub expected: Option<f64>,
    /// Why nothing was timed.
    pub skipped: Option<String>,
}

impl DeviceReport {
    /// Whether everything agreed.
    pub fn agrees(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

/// Checks and times a device; `heard` gets a word before each part.
///
/// A check that disagrees and a model that does not fit are findings, not failures.
///
/// # Errors
/// An operation that fails on the device.
pub fn device_report(
    name: &str,
    device: &Device,
    request: &DeviceRequest,
    heard: &mut dyn FnMut(&str),
) -> Result<DeviceReport> {
    let title = title(device);
    let card = Card::known(&title);
    let given = request.bandwidth.map(|rate| (rate, "given".to_owned()));
    let known = given.or_else(|| card.map(|card| (card.bandwidth, card.source.to_owned())));
    let checks = checks::all(device, heard)?;
    heard("rates of memory");
    let rates = rates::measure(device, request.weights, known.as_ref().map(|(rate, _)| *rate))?;
    let mut steps = Vec::new();
    for shape in &request.shapes {
        heard(&format!("steps of {}", shape.name));
        steps.push(timed(shape, device, request, card)?);
    }
    let (bandwidth, bandwidth_source) = known.unzip();
    Ok(DeviceReport {
        polder: env!("CARGO_PKG_VERSION"),
        system: format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH),
        device: name.to_owned(),
        title,
        memory: room(device).map(|(_, all)| all),
        bandwidth,
        bandwidth_source,
        checks,
        rates,
        batch: request.batch,
        length: request.length,
        offload: request.offload && !device.is_cpu(),
        steps,
    })
}

/// Times one model, where it fits.
fn timed(shape: &Shape, device: &Device, request: &DeviceRequest, card: Option<&Card>) -> Result<DeviceStep> {
    let place = Place::new(device.clone(), request.offload)?;
    let offload = place.offloads();
    let needs = size_of(shape, request.storage, offload, request.batch, request.length)?.map(|memory| match device {
        // A processor needs no context.
        Device::Cpu => memory.total() - memory.allowance,
        _ => memory.total(),
    });
    // The roofline knows no way from the computer's memory.
    let expected = match card {
        Some(card) if !offload => Architecture::of(&shape.config()?).and_then(|a| {
            let (batch, length) = (request.batch as u64, request.length as u64);
            Work::of(&a, batch, length, request.storage, Arithmetic::F32).seconds(card, Arithmetic::F32)
        }),
        _ => None,
    };
    let free = room(device).map(|(free, _)| free);
    let (took, skipped) = match (needs, free) {
        (Some(needs), Some(free)) if needs > free => {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            let why = format!("does not fit: needs {:.1} GB, {:.1} are free", gigabytes(needs), gigabytes(free));
            (None, Some(why))
        }
        _ => {
            let setting = Setting {
                shape: *shape,
                storage: request.storage,
                sequences: request.batch,
                length: request.length,
                directions: 1,
                points_a_pass: 2,
                threads: request.threads,
                steps: request.steps,
            };
            match step_on(&setting, place) {
                Ok(stepped) => (Some(stepped), None),
                // The next model may fit, and the report says what was wrong with this one.
                Err(error) => (None, Some(format!("failed: {error}"))),
            }
        }
    };
    Ok(DeviceStep { shape: shape.name, needs, took, expected, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> DeviceRequest {
        DeviceRequest { batch: 2, length: 4, steps: 2, threads: 1, weights: 1 << 12, ..DeviceRequest::usual(Kind::Cpu) }
    }

    #[test]
    fn the_processor_agrees_with_itself_and_everything_is_reported() {
        let mut heard = Vec::new();
        let request = DeviceRequest { bandwidth: Some(40e9), ..small() };
        let report = device_report("cpu", &Device::Cpu, &request, &mut |part| heard.push(part.to_owned())).unwrap();
        assert!(report.agrees(), "{:#?}", report.checks);
        for name in ["directions", "reads", "updates", "logits"] {
            let compared: usize = report.checks.iter().filter(|c| c.name == name).map(|c| c.compared).sum();
            assert!(compared > 0 && heard.iter().any(|part| part.contains(name)), "{name}: {:#?}", report.checks);
        }
        assert_eq!(report.rates.len(), 2);
        assert!(report.rates.iter().all(|rate| rate.reached > 0.0 && rate.share == Some(rate.reached / 40e9)));
        let [step] = &report.steps[..] else { panic!("{:?}", report.steps) };
        assert!(step.skipped.is_none() && step.took.as_ref().is_some_and(|took| took.seconds.len() == 2));
        let page = report.page();
        for part in [
            "# polder on cpu",
            "| directions |",
            "| update |",
            "| tiny |",
            "40.0 GB/s (given)",
            "side_by_side.py",
            "--device cpu",
        ] {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
    }

    #[test]
    fn a_model_that_does_not_fit_is_passed_over_with_a_word() {
        let huge = *Shape::named("llama-2-70b").unwrap();
        let request = DeviceRequest { batch: 4096, length: 2047, ..small() };
        let step = timed(&huge, &Device::Cpu, &request, None).unwrap();
        let why = step.skipped.expect("a machine with terabytes of memory");
        assert!(step.took.is_none() && why.starts_with("does not fit: needs "), "{why}");
    }
}
