//! Figures as in the paper: curvature against steps, a panel a run.

use super::gauge::Reading;
use super::study::short;
use super::track::Track;
use crate::error::Result;
use crate::figure::{Figure, Panel, Series};

/// A panel a run.
pub(super) fn runs(title: &str, tracks: &[Track]) -> Result<Figure> {
    let panels = tracks.iter().map(panel).collect::<Result<Vec<Panel>>>()?;
    Ok(Figure::grid(2, panels).titled(title))
}

/// Trace and largest eigenvalue with the band `[Tr, Tr + 2λ_max]` (or the method's) and the edge; of a run with gradients
/// the largest eigenvalue and its edge.
pub(super) fn panel(track: &Track) -> Result<Panel> {
    // Those of the first steps are for commutators; a trace of P⁻¹H with Adam's first P would squeeze all others.
    let regular = |r: &&Reading| r.step.is_multiple_of(track.course.every);
    let read: Vec<&Reading> = track.readings.iter().filter(regular).collect();
    let points =
        |of: &dyn Fn(&Reading) -> f64| -> Vec<(f64, f64)> { read.iter().map(|r| (r.step as f64, of(r))).collect() };
    let mut panel = Panel::new(track.course.title()).axes("step", "curvature");
    if !track.course.method.is_first_order() {
        let band = track.course.band()?;
        let quantity = track.quantity();
        let between = read.iter().map(|r| (r.step as f64, r.trace, r.trace + band * r.largest));
        panel = panel
            .with(Series::band(format!("{quantity} to {quantity} + {} λ_max", short(band)), between).colour(0).faint());
        panel = panel.with(Series::line(quantity, points(&|r| r.trace)).colour(0));
    }
    panel = panel.with(Series::line("λ_max", points(&|r| r.largest)).colour(1));
    Ok(match &track.course.rates[..] {
        [_] => panel.with(Series::level(format!("edge {}", short(track.edge())), track.edge())),
        _ => panel.with(Series::dashed("edge", points(&|r| r.edge)).colour(2)),
    })
}

/// The highest losses between readings, on a logarithmic axis.
pub(super) fn losses(tracks: &[Track]) -> Panel {
    let series = |track: &Track| {
        let peaks = track.readings.iter().filter(|r| r.step > 0).map(|r| (r.step as f64, r.peak));
        Series::line(track.course.title(), peaks)
    };
    Panel::new("Highest loss between two readings")
        .axes("step", "loss (nats)")
        .log_y()
        .with_all(tracks.iter().map(series))
}

/// The relative commutators along runs, both axes logarithmic.
pub(super) fn commutators(tracks: &[Track]) -> Panel {
    let series = |track: &Track| {
        let points = track.readings.iter().map(|r| (r.step as f64, r.commutator));
        Series::line(track.course.title(), points)
    };
    let panel = Panel::new("‖PH − HP‖ / ‖PH‖ (Frobenius)").axes("step", "relative commutator").log_x().log_y();
    panel.with_all(tracks.iter().map(series)).with(Series::level("0.05", 0.05))
}
