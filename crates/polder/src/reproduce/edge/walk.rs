//! Makes runs, several at a time.

use std::sync::mpsc::{Sender, channel};

use polder_optim::objectives::{Smooth, SmoothObjective};
use polder_perturb::Seed;
use rayon::prelude::*;

use super::course::{Course, Method};
use super::gauge::Gauge;
use super::mover::{GradientDescent, Mover, ZerothOrder};
use super::track::{End, Track, diverged};
use crate::error::Result;

/// Steps that progress tells of at once.
const SAID: u64 = 250;

/// A run to make: a course on a function, from a start.
#[derive(Debug, Clone)]
pub(super) struct Trip<'a> {
    pub(super) course: Course,
    pub(super) smooth: &'a dyn Smooth,
    pub(super) start: &'a [f64],
    pub(super) seed: Seed,
}

impl Trip<'_> {
    /// Makes the run; `made` hears of steps as they are made.
    pub(super) fn make(&self, made: &mut dyn FnMut(u64)) -> Result<Track> {
        let Self { course, smooth, start, seed } = self;
        if course.method.is_first_order() {
            return self.go(&mut GradientDescent::new(course, *smooth, start)?, made);
        }
        let params = SmoothObjective::parameter(start)?;
        self.go(&mut ZerothOrder::new(course, *smooth, &params, *seed)?, made)
    }

    fn go(&self, mover: &mut dyn Mover, made: &mut dyn FnMut(u64)) -> Result<Track> {
        let course = &self.course;
        let gauge = Gauge::new(course, self.smooth, self.seed);
        let (mut readings, mut peak, mut end) = (Vec::new(), f64::NAN, End::Finished);
        // Adam has no P before its first step.
        if !matches!(course.method, Method::Adam { .. }) {
            readings.extend(gauge.read(mover, 0, peak)?);
        }
        for step in 0..course.steps {
            let (loss, done) = (mover.step(step, course.lr(step))?, step + 1);
            peak = peak.max(loss);
            let mut lost = diverged(loss);
            if !lost && (done.is_multiple_of(course.every) || course.also.contains(&done)) {
                let reading = gauge.read(mover, done, peak)?;
                lost = reading.is_none();
                readings.extend(reading);
                peak = f64::NAN;
            }
            if lost {
                end = End::Diverged { step };
                made(course.steps - step);
                break;
            }
            made(1);
        }
        Ok(Track { course: course.clone(), readings, end, weights: mover.weights()? })
    }
}

/// Makes runs side by side; `progress` hears the steps that were made and all there are to make.
///
/// # Errors
/// What the first of the runs that fail fails with.
pub(super) fn make_all(trips: &[Trip<'_>], progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Track>> {
    let total = trips.iter().map(|trip| trip.course.steps).sum();
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        let runs = scope.spawn(move || {
            let make = |sender: &mut Sender<u64>, trip: &Trip<'_>| {
                let mut unsaid = 0;
                trip.make(&mut |steps| {
                    unsaid += steps;
                    if unsaid >= SAID {
                        // It is heard as long as this function runs.
                        let _ = sender.send(std::mem::take(&mut unsaid));
                    }
                })
            };
            trips.par_iter().map_with(sender, make).collect::<Result<Vec<Track>>>()
        });
        let mut done = 0;
        for steps in receiver {
            done += steps;
            progress(done, total);
        }
        match runs.join() {
            Ok(tracks) => tracks,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
