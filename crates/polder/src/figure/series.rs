//! One curve of a panel.

/// What a series looks like, with its points.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Points joined by a line.
    Line(Vec<(f64, f64)>),
    /// Points joined by a dashed line.
    Dashed(Vec<(f64, f64)>),
    /// Single points.
    Dots(Vec<(f64, f64)>),
    /// `(x, low, high)`: what lies between.
    Band(Vec<(f64, f64, f64)>),
    /// A horizontal line through the whole panel.
    Level(f64),
}

/// One curve: its name in the legend, its points, its looks.
///
/// Points are drawn in the order given. One that is not finite is left out and breaks a line or a band, as does one that a
/// log axis can't show. A series with an empty name is not in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) colour: Option<usize>,
    pub(super) faint: bool,
}

impl Series {
    /// Points joined by a line; few points are marked as well.
    pub fn line(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(name, Shape::Line(points.into_iter().collect()))
    }

    /// Points joined by a dashed line.
    pub fn dashed(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(name, Shape::Dashed(points.into_iter().collect()))
    }

    /// Single points.
    pub fn dots(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(name, Shape::Dots(points.into_iter().collect()))
    }

    /// What lies between two curves: `(x, low, high)`. A point without neighbours is drawn as a bar.
    pub fn band(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        Self::new(name, Shape::Band(points.into_iter().collect()))
    }

    /// A horizontal line through the whole panel, for reference.
    pub fn level(name: impl Into<String>, value: f64) -> Self {
        Self::new(name, Shape::Level(value))
    }

    /// The colour of that number in the palette, instead of the next one that is free.
    ///
    /// Curves that belong together (dots, their mean, its band) share one.
    #[must_use]
    pub fn colour(mut self, number: usize) -> Self {
        self.colour = Some(number);
        self
    }

    /// Paler, for what lies behind.
    #[must_use]
    pub fn faint(mut self) -> Self {
        self.faint = true;
        self
    }

    fn new(name: impl Into<String>, shape: Shape) -> Self {
        Self { name: name.into(), shape, colour: None, faint: false }
    }

    /// Every x; a level has none.
    pub(super) fn xs(&self) -> Vec<f64> {
        match &self.shape {
            Shape::Line(points) | Shape::Dashed(points) | Shape::Dots(points) => points.iter().map(|p| p.0).collect(),
            Shape::Band(points) => points.iter().map(|p| p.0).collect(),
            Shape::Level(_) => Vec::new(),
        }
    }

    /// Every y, of points that have an x.
    pub(super) fn ys(&self) -> Vec<f64> {
        match &self.shape {
            Shape::Line(points) | Shape::Dashed(points) | Shape::Dots(points) => {
                points.iter().filter(|p| p.0.is_finite()).map(|p| p.1).collect()
            }
            Shape::Band(points) => points.iter().filter(|p| p.0.is_finite()).flat_map(|p| [p.1, p.2]).collect(),
            Shape::Level(value) => vec![*value],
        }
    }
}
