//! Training: from a plan to a run folder.

mod data;
mod finish;
mod method;
mod rate;
mod restore;
mod scores;
mod session;
mod start;
mod step;
mod stop;
mod trace;

use std::time::Instant;

use polder_optim::Objective;
use polder_optim::trajectory::{Durability, Record, Trajectory, Writer};
use polder_perturb::Seed;
use serde_json::json;
use tokenizers::Tokenizer;

pub(crate) use data::spec_of;
pub use data::{TaskData, shots_of, task_of};
pub use method::Method;
pub use rate::logged_rate;
pub use start::{matches, set_trainable};
pub use step::StepReport;
pub use stop::{Stop, Stopped};

pub(crate) use method::moves_of;
pub(crate) use scores::{FINAL, MARKS, ROWS};
pub(crate) use start::dropped_tail;
pub(crate) use trace::{forwards_of, samples_of};

use crate::batching::{BatchSize, Batching};
use crate::config::{Config, Probe};
use crate::device::{DeviceError, failure_of};
use crate::engine::{Engine, MakeReader};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::in_place::InPlace;
use crate::objective::{PassLayout, PromptLoss};
use crate::plan::Plan;
use crate::run::{MetricsLog, RunFolder, check_plan, other_passes, write_file};
use finish::Ending;
use session::Session;
use start::{History, Start};
use step::Stepper;
use trace::TraceWatch;

/// What a run is told besides its configuration.
#[derive(Debug, Clone, Default)]
pub struct TrainOptions {
    /// What may end it early.
    pub stop: Stop,
    /// The configuration as it was given, kept as `RUN/config.toml`.
    pub config_text: Option<String>,
    /// What reads weights in steps and scores; by default what their device needs.
    pub readers: Option<MakeReader>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// It was stopped, and can be resumed.
    Stopped {
        /// Steps that are done.
        step: u64,
        /// Why.
        reason: Stopped,
    },
}

/// Trains, or goes on training where `run` was begun before.
///
/// The plan goes into `RUN/plan.json`; at a resume it is compared with the one there, key by key.
///
/// # Errors
/// Whatever keeps the run from starting, a loss that is not finite, a log or last weights that can't be written, a device
/// whose memory is full or that is lost. The run can be resumed after each of them.
pub fn train(plan: &Plan, run: &RunFolder, options: &TrainOptions, watch: &mut dyn Observer) -> Result<Outcome> {
    run_of(plan, run, options, watch).map_err(|error| match (&error, failure_of(&error.to_string())) {
        (Error::Device(_), _) | (_, None) => error,
        (_, Some(failure)) => DeviceError::Failed { failure, reason: error.to_string() }.into(),
    })
}

/// Trains; a device's failure is told as whatever met it tells it.
fn run_of(plan: &Plan, run: &RunFolder, options: &TrainOptions, watch: &mut dyn Observer) -> Result<Outcome> {
    let begin = Instant::now();
    let (config, data) = (&plan.config, &plan.data);
    set_threads(config.threads);
    let log = start::log_of(run, watch)?;
    let mut changed = None;
    if let Some(log) = &log {
        let (old, new) = (run.read_plan()?, plan.to_json());
        check_plan(&old, &new, log.steps(), method::steps_bind(config)?)?;
        changed = other_passes(&old, &new);
    }
    let mut start = start::load_latest(config, run, log.as_ref(), watch)?;
    let (lr, rate) = rate::of(plan, log.as_ref().map(Trajectory::header), &start.model, &options.stop, watch)?;
    let mut method = Method::of(config, lr)?;
    let Opened { mut log, mut history, trace } = open_log(plan, run, options, &mut start, &mut method, log)?;
    if let Some(text) = &changed {
        watch.event(&Event::Note { text: format!("{text}: on a GPU the last bits of losses depend on it.") });
    }
    let passes = changed.map(|text| Record::Note(json!({ "kind": "passes", "changed": text })));
    for note in [rate, passes].into_iter().flatten() {
        log.append(&note)?;
        history.add(note);
    }
    let (model, from, folder) = (start.model, start.from, start.folder);
    let mut metrics = MetricsLog::append_to(&run.metrics())?;
    let mut watch = Pair(&mut metrics, watch);
    watch.event(&Event::Started { done: history.done, total: config.steps, run: run.path().to_owned() });

    let (stopped, optimizer) = {
        let readers = options.readers.unwrap_or(polder_perturb::reader);
        let engine = model.engine().in_arithmetic(plan.config.arithmetic.of_readers()).reading_by(readers);
        // Scores are taken in f32, whatever the arithmetic of the steps.
        let scoring = model.engine().reading_by(readers);
        let objective =
            objective(config, &options.stop, &engine, model.loaded.tokenizer.as_ref(), data, method.mode.law);
        let (seed, params) = (Seed(config.seed), &model.loaded.params);
        let height = history.rate.map_or(lr, |(_, lr)| lr);
        let mut stepper = Stepper { seed, total: config.steps, method, height, objective, params, trace };
        let saved = (from > 0 && from == history.done).then_some(from);
        let (loaded, engine, scoring, log) = (&model.loaded, &engine, &scoring, &mut log);
        let (history, stop, watch) = (&mut history, &options.stop, &mut watch as &mut dyn Observer);
        let mut session = Session { config, run, loaded, engine, scoring, data, log, history, stop, watch, saved };
        (session.steps(&mut stepper)?, stepper.method.optimizer)
    };
    let stopped = match stopped {
        Some(reason) => Some(reason),
        None => {
            let (log, history, stop) = (&mut log, &mut history, &options.stop);
            let mut ending = Ending { config, run, data, log, optimizer, history, folder, stop, watch: &mut watch };
            match ending.finish(model) {
                Err(error) if error.is_stop() => Some(options.stop.now().unwrap_or(Stopped::Asked)),
                ended => ended.map(|()| None)?,
            }
        }
    };
    watch.event(&Event::Finished {
        step: history.done,
        total: config.steps,
        seconds: begin.elapsed().as_secs_f64(),
        forwards: history.all_forwards(),
    });
    Ok(stopped.map_or(Outcome::Finished, |reason| Outcome::Stopped { step: history.done, reason }))
}

/// A log that is being written, and what it says so far.
struct Opened {
    log: Writer,
    history: History,
    trace: Option<TraceWatch>,
}

/// Begins the log, or checks it and brings the weights to its end.
fn open_log(
    plan: &Plan,
    run: &RunFolder,
    options: &TrainOptions,
    start: &mut Start,
    method: &mut Method,
    log: Option<Trajectory>,
) -> Result<Opened> {
    let header = method.header(&plan.config, &start.model.loaded.params, &plan.data)?;
    let opened = match log {
        Some(log) => {
            method.optimizer = start::catch_up(start, &log, &header)?;
            let (writer, log) = Writer::open_for_append(log.path(), Durability::Process)?;
            let trace = restore::restore_metrics(run, &log, &plan.config, method, &start.model.loaded.params)?;
            run.write_plan(&plan.to_json())?;
            Opened { log: writer, history: History::of(&log)?, trace }
        }
        None => {
            run.write_plan(&plan.to_json())?;
            let log = Writer::create(run.trajectory(), &header, Durability::Process)?;
            let trace = TraceWatch::of(&plan.config, start.model.loaded.params.trainable_elements())?;
            Opened { log, history: History::default(), trace }
        }
    };
    if let Some(text) = &options.config_text {
        write_file(&run.config(), text.as_bytes())?;
    }
    Ok(opened)
}

/// The loss of the configured task, probed as configured.
fn objective<'a>(
    config: &Config,
    stop: &Stop,
    engine: &'a Engine<'a>,
    tokenizer: Option<&'a Tokenizer>,
    data: &'a TaskData,
    law: polder_perturb::Law,
) -> Box<dyn Objective + 'a> {
    let loss = reading_loss(config, engine, tokenizer, data, law);
    match config.probe {
        Probe::Read => Box::new(loss.stopped_by(stop.flag())),
        // A step that is broken off would leave the weights moved.
        Probe::InPlace => Box::new(InPlace::new(loss, engine.params(), law)),
    }
}

/// The loss of the configured task, which reads weights at points and writes none.
fn reading_loss<'a>(
    config: &Config,
    engine: &'a Engine<'a>,
    tokenizer: Option<&'a Tokenizer>,
    data: &'a TaskData,
    law: polder_perturb::Law,
) -> PromptLoss<'a> {
    let size = BatchSize::of(config.batch, data.train.len());
    let batching = Batching::new(data.train.len(), size, config.seed);
    let layout = PassLayout { micro_batch: config.micro_batch, points: config.points_a_pass };
    let loss = PromptLoss::new(engine, &data.train, data.kind, batching, law, layout);
    loss.answering(data.answering(tokenizer, config.materialise))
}

/// Sets how many threads compute, for the whole process; the first call holds.
///
/// The caller's thread is one of several: else it would sleep through each of a pass's some hundred parallel loops and be
/// woken after it. One thread alone is another than the caller's, so that callers on other threads never wait for it.
pub fn set_threads(threads: Option<usize>) {
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    // A pool that is there already was set up by an earlier run in this process; results don't depend on it.
    let _ = if threads > 1 { pool.use_current_thread().build_global() } else { pool.build_global() };
}

/// Two observers, told in order.
struct Pair<'a>(&'a mut dyn Observer, &'a mut dyn Observer);

impl Observer for Pair<'_> {
    fn event(&mut self, event: &Event) {
        self.0.event(event);
        self.1.event(event);
    }
}
