//! Published peak rates of devices.

use serde::Serialize;

use super::Kind;
use crate::config::Arithmetic;

/// A device's peaks, as its maker publishes them: dense, without sparsity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Card {
    /// What it is called.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// Memory in bytes.
    pub memory: u64,
    /// Bytes a second from and to memory.
    pub bandwidth: f64,
    /// Operations of f32 a second outside of tensor cores, a fused multiply-add being two.
    pub f32: f64,
    /// Operations of 32-bit integers a second.
    pub integer: f64,
    /// Instructions a second, integers and numbers together, one for each lane.
    pub instructions: f64,
    /// Operations a second with factors of TF32.
    pub tf32: Option<f64>,
    /// Operations a second with factors of bf16, summed in f32.
    pub bf16: Option<f64>,
    /// Where the figures stand.
    pub source: &'static str,
}

const GIB: u64 = 1 << 30;

/// The devices that expectations are given for.
///
/// Lanes for integers beside those for f32, as is commonly said of them (not looked up at their makers'): an A100's multiprocessor has 64 of each and begins
/// 128 instructions a cycle; that of an H100 has 128 for f32 and 64 for integers, that of an RTX 4090 128, of which 64 do
/// integers, and both begin 128. Apple's lanes do either; how much slower they multiply integers Apple does not say, and it
/// is left out.
pub const CARDS: &[Card] = &[
    Card {
        name: "A100 80GB",
        kind: Kind::Cuda,
        memory: 80 * GIB,
        bandwidth: 2.039e12,
        f32: 19.5e12,
        integer: 9.75e12,
        instructions: 19.5e12,
        tf32: Some(156e12),
        bf16: Some(312e12),
        source: "NVIDIA A100 datasheet (SXM)",
    },
    Card {
        name: "H100 SXM",
        kind: Kind::Cuda,
        memory: 80 * GIB,
        bandwidth: 3.35e12,
        f32: 67e12,
        integer: 16.75e12,
        instructions: 33.5e12,
        tf32: Some(494.5e12),
        bf16: Some(989.5e12),
        source: "NVIDIA H100 datasheet (tensor cores there with sparsity: halved)",
    },
    Card {
        name: "RTX 4090",
        kind: Kind::Cuda,
        memory: 24 * GIB,
        bandwidth: 1.008e12,
        f32: 82.6e12,
        integer: 20.65e12,
        instructions: 41.3e12,
        tf32: Some(82.6e12),
        bf16: Some(165.2e12),
        source: "NVIDIA Ada GPU Architecture whitepaper, appendix A",
    },
    Card {
        name: "M2 Max",
        kind: Kind::Metal,
        memory: 64 * GIB,
        bandwidth: 0.4e12,
        f32: 13.6e12,
        integer: 6.8e12,
        instructions: 6.8e12,
        tf32: None,
        bf16: None,
        source: "Apple: 400 GB/s; 3.6 TFLOPS of the 10-core M2, times 38 cores of 10",
    },
];

impl Card {
    /// The card whose name is in what a driver calls a device.
    pub fn known(title: &str) -> Option<&'static Self> {
        let like = |words: &[&str]| words.iter().all(|word| title.contains(word));
        let named = |name: &str| CARDS.iter().find(|card| card.name == name);
        match () {
            () if like(&["A100", "80GB"]) => named("A100 80GB"),
            () if like(&["H100", "HBM3"]) => named("H100 SXM"),
            () if title.ends_with("RTX 4090") => named("RTX 4090"),
            () if like(&["M2 Max"]) => named("M2 Max"),
            () => None,
        }
    }

    /// Operations a second of products in an arithmetic; `None` where the device does not have it.
    pub fn products(&self, arithmetic: Arithmetic) -> Option<f64> {
        match arithmetic {
            Arithmetic::F32 => Some(self.f32),
            Arithmetic::Tf32 => self.tf32,
            Arithmetic::Bf16 => self.bf16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_known_by_what_drivers_call_them() {
        let known = |title: &str| Card::known(title).map(|card| card.name);
        assert_eq!(known("NVIDIA A100-SXM4-80GB"), Some("A100 80GB"));
        assert_eq!(known("NVIDIA A100-SXM4-40GB"), None);
        assert_eq!(known("NVIDIA H100 80GB HBM3"), Some("H100 SXM"));
        assert_eq!(known("NVIDIA H100 PCIe"), None);
        assert_eq!(known("NVIDIA GeForce RTX 4090"), Some("RTX 4090"));
        assert_eq!(known("NVIDIA GeForce RTX 4090 D"), None);
    }
}
