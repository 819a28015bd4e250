//! A device that fails in the middle of a run is told of, and leaves the run resumable.

mod fixture;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use fixture::{Place, fail, metrics, str, succeed, tables, weights};
use polder::config::Config;
use polder::event::Silent;
use polder::plan::Plan;
use polder::run::RunFolder;
use polder::trainer::{Outcome, TrainOptions, train};
use polder_perturb::{Arithmetic, Error, ParamSet, Points, Reader};

type Read<'r> = polder_perturb::Result<Box<dyn Reader + 'r>>;

/// Readers that each kind of failing device still makes.
static BEFORE_FULL: AtomicI64 = AtomicI64::new(0);
static BEFORE_LOST: AtomicI64 = AtomicI64::new(0);

/// A reader as its device makes it, while `left` lasts; then what a driver says.
fn failing<'r>(
    left: &AtomicI64,
    says: &str,
    (params, points, arithmetic): (&'r ParamSet, &'r Points, Arithmetic),
) -> Read<'r> {
    if left.fetch_sub(1, Ordering::Relaxed) <= 0 {
        return Err(Error::Tensor(candle_core::Error::Cuda(says.into())));
    }
    polder_perturb::reader(params, points, arithmetic)
}

fn full<'r>(params: &'r ParamSet, points: &'r Points, arithmetic: Arithmetic) -> Read<'r> {
    let says = r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#;
    failing(&BEFORE_FULL, says, (params, points, arithmetic))
}

fn lost<'r>(params: &'r ParamSet, points: &'r Points, arithmetic: Arithmetic) -> Read<'r> {
    let says = r#"DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered")"#;
    failing(&BEFORE_LOST, says, (params, points, arithmetic))
}

#[test]
fn a_full_memory_and_a_lost_device_leave_a_run_that_resumes_to_the_same_bits() {
    let place = Place::llama();
    let path = place.config("fails.toml", "", &tables("bf16", "1e-2"));
    let whole = place.path("whole");
    succeed(&["train", str(&path), "--run", str(&whole)]);
    let plan = Plan::new(Config::load(&path, &[]).unwrap()).unwrap();
    let run = place.path("run");
    let go = |readers, folder: RunFolder| {
        let options = TrainOptions { readers, ..TrainOptions::default() };
        train(&plan, &folder, &options, &mut Silent).map_err(|error| error.to_string())
    };

    BEFORE_FULL.store(20, Ordering::Relaxed);
    let said = go(Some(full), RunFolder::create(&run).unwrap()).unwrap_err();
    assert!(said.starts_with("the device failed: its memory is full"), "{said}");
    assert!(said.contains("CUDA_ERROR_OUT_OF_MEMORY") && said.contains("\nhint: "), "{said}");
    assert!(said.contains("micro_batch") && said.contains("--resume"), "{said}");
    let done = steps(&run);
    assert!(done > 0 && done < 40, "{done} steps");

    BEFORE_LOST.store(8, Ordering::Relaxed);
    let said = go(Some(lost), RunFolder::resume(&run).unwrap()).unwrap_err();
    assert!(said.contains("does not answer any more") && said.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{said}");
    assert!(said.contains("\nhint: ") && said.contains("--resume"), "{said}");
    let more = steps(&run);
    assert!(more > done && more < 40, "{more} steps after {done}");

    assert_eq!(go(None, RunFolder::resume(&run).unwrap()), Ok(Outcome::Finished));
    assert_eq!(steps(&run), 40);
    assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
}

/// Steps that a run's metrics tell of.
fn steps(run: &Path) -> usize {
    metrics(run).iter().filter(|line| line["kind"] == "step").count()
}

/// A build without devices refuses them wherever weights are loaded. (With one, what is said depends on the machine.)
#[cfg(not(any(feature = "cuda", feature = "metal")))]
#[test]
fn every_command_that_loads_weights_refuses_a_device_that_is_not_built_in() {
    let place = Place::llama();
    let config = place.config("a.toml", "", &tables("f32", "1e-3"));
    let (model, data) = (place.path("model"), place.path("data"));
    let (config, model, data) = (str(&config), str(&model), str(&data));
    for command in [
        &["train", config, "--set", "device=cuda"][..],
        &["sharpness", config, "--device", "cuda"],
        &["eval", "--model", model, "--task", "sst2", "--data", data, "--device", "cuda:0"],
        &["predict", "--model", model, "--task", "sst2", "--text", "a good film", "--device", "cuda:0"],
        &["generate", model, "--prompt", "a film", "--device", "cuda:0"],
        &["bench", "--device", "cuda"],
    ] {
        let said = fail(command);
        assert!(said.contains("`cuda:0`") && said.contains("built without cuda"), "{command:?}: {said}");
        assert!(said.contains("hint: build it with") && said.contains("--features cuda"), "{said}");
    }
    assert!(!place.path("runs").exists(), "a run that can't start leaves nothing");
    // A run on the CPU may be looked at on it by name.
    succeed(&["sharpness", config, "--device", "cpu", "--probes", "2", "--rows", "2", "--quiet"]);
}
