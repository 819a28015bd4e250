//! Long series made short without losing what can be seen of them.

/// A point in the picture.
pub(super) type Place = (f64, f64);

/// Parts of a line without a gap: a place that is missing ends one.
pub(super) fn pieces<T>(places: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut out: Vec<Vec<T>> = vec![Vec::new()];
    for place in places {
        match (place, out.last_mut()) {
            (Some(place), Some(piece)) => piece.push(place),
            (None, Some(piece)) if !piece.is_empty() => out.push(Vec::new()),
            _ => {}
        }
    }
    out.retain(|piece| !piece.is_empty());
    out
}

/// Of consecutive places in one column of pixels: the first, the lowest, the highest and the last.
///
/// What is drawn covers the same pixels, spikes included.
pub(super) fn line(places: &[Place]) -> Vec<Place> {
    let mut out = Vec::new();
    for column in columns(places) {
        if column.len() <= 4 {
            out.extend_from_slice(column);
            continue;
        }
        let (low, high) = extremes(column);
        let mut kept = vec![0, low, high, column.len() - 1];
        kept.sort_unstable();
        kept.dedup();
        out.extend(kept.into_iter().map(|at| column[at]));
    }
    out
}

/// Single points: of those in one column of pixels, the extremes and at most so many others.
pub(super) fn dots(places: &[Place], most: usize) -> Vec<Place> {
    let mut sorted = places.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out = Vec::new();
    for column in columns(&sorted) {
        let stride = column.len().div_ceil(most.max(1)).max(1);
        let (low, high) = extremes(column);
        let kept = column.iter().enumerate().filter(|(at, _)| at.is_multiple_of(stride) || *at == low || *at == high);
        out.extend(kept.map(|(_, place)| *place));
    }
    out
}

/// `(x, low, high)`: in one column of pixels, the lowest low and the highest high.
pub(super) fn band(places: &[(f64, f64, f64)]) -> Vec<(f64, f64, f64)> {
    let merged = |column: &[(f64, f64, f64)]| {
        let first = column[0];
        column.iter().fold(first, |(x, low, high), next| (x, low.min(next.1), high.max(next.2)))
    };
    places.chunk_by(|a, b| a.0.floor() == b.0.floor()).map(merged).collect()
}

fn columns(places: &[Place]) -> impl Iterator<Item = &[Place]> {
    places.chunk_by(|a, b| a.0.floor() == b.0.floor())
}

/// Where the lowest and the highest place are.
fn extremes(column: &[Place]) -> (usize, usize) {
    let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
    let low = (0..column.len()).min_by(by_height).unwrap_or(0);
    let high = (0..column.len()).max_by(by_height).unwrap_or(0);
    (low, high)
}
