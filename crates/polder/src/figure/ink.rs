//! Colours and fonts.

/// Colours that people with any colour vision can tell apart on white (after Okabe and Ito, 2008).
const ON_WHITE: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#b0479a", "#e69f00", "#56b4e9", "#555555"];
/// The same colours on a dark page.
const ON_DARK: [&str; 7] = ["#4ba3e3", "#f0843c", "#2fc49a", "#d98bc6", "#f2c14e", "#9fd4f5", "#b5b5b5"];
/// How a line is broken when the colours begin anew.
const DASHES: [&str; 3] = ["", "7 3", "2 2"];

/// What a picture is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// White, in a file of its own.
    Paper,
    /// White, in pixels, with the font that this program brings.
    Pixels,
    /// A page that has its own colours and fonts.
    Page,
}

impl Ground {
    /// Text and axes.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Page => "currentColor",
            Self::Paper | Self::Pixels => "#222222",
        }
    }

    /// What lies behind everything, where it is drawn.
    pub(super) fn background(self) -> Option<&'static str> {
        (self != Self::Page).then_some("#ffffff")
    }

    /// The room around the whole figure, in pixels; a page has its own.
    pub(super) fn margin(self) -> f64 {
        match self {
            Self::Page => 2.0,
            Self::Paper | Self::Pixels => 12.0,
        }
    }

    /// The font attributes.
    pub(super) fn font(self) -> &'static str {
        match self {
            Self::Page => "",
            Self::Paper => " font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\"",
            Self::Pixels => " font-family=\"Ubuntu\" font-weight=\"300\"",
        }
    }

    /// The attributes of a heading. The one font of pixels is light, so its outlines are drawn as well.
    pub(super) fn bold(self) -> &'static str {
        match self {
            Self::Page | Self::Paper => " font-weight=\"bold\"",
            Self::Pixels => " stroke=\"#222222\" stroke-width=\"0.5\"",
        }
    }

    /// The colour of a series.
    pub(super) fn series(self, number: usize) -> String {
        let colour = ON_WHITE[number % ON_WHITE.len()];
        match self {
            Self::Page => format!("var(--figure-{}, {colour})", number % ON_WHITE.len()),
            Self::Paper | Self::Pixels => colour.to_owned(),
        }
    }
}

/// How the line of a series is broken; empty for one that is not.
pub(super) fn dashes(number: usize) -> &'static str {
    DASHES[(number / ON_WHITE.len()) % DASHES.len()]
}

/// The colour of the series of that number, on a page with [`page_css`].
pub(crate) fn colour(number: usize) -> String {
    Ground::Page.series(number)
}

/// The style sheet of pages that hold figures: the palette in light and, where the reader prefers it, dark.
pub fn page_css() -> String {
    let list = |colours: [&str; 7]| {
        colours.iter().enumerate().map(|(number, colour)| format!("--figure-{number}:{colour};")).collect::<String>()
    };
    format!(
        ":root{{{}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        list(ON_WHITE),
        list(ON_DARK)
    )
}

/// From dark blue over green to yellow, even in lightness (viridis).
const HEAT: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 45.0, 123.0],
    [59.0, 82.0, 139.0],
    [44.0, 114.0, 142.0],
    [33.0, 145.0, 140.0],
    [40.0, 174.0, 128.0],
    [94.0, 201.0, 98.0],
    [173.0, 220.0, 48.0],
    [253.0, 231.0, 37.0],
];
/// How many colours a heat map has.
pub(super) const HEAT_LEVELS: usize = 128;

/// The colour of a level, below [`HEAT_LEVELS`].
pub(super) fn heat(level: usize) -> String {
    let at = level as f64 / (HEAT_LEVELS - 1) as f64 * (HEAT.len() - 1) as f64;
    let below = (at as usize).min(HEAT.len() - 2);
    let part = at - below as f64;
    let mixed = |i: usize| (HEAT[below][i] * (1.0 - part) + HEAT[below + 1][i] * part).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}
