//! The kernels' text, compiled by the host's C++ compiler and run on candle's CPU tensors.
//!
//! Both texts, CUDA's and Metal's, are compiled as they stand, the words of each language given a meaning by `shim/`.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use candle_core::{CpuStorage, Layout, Result, Storage, bail};
use libloading::Library;

use super::super::launch::{Launch, Shape};
use super::super::text;

/// The kernels by name, and whether each works in groups of lanes.
pub(super) const KERNELS: [(&str, bool); 23] = [
    ("shift_f32_f32", false),
    ("shift_f32_bf16", false),
    ("shift_bf16_f32", false),
    ("shift_bf16_bf16", false),
    ("shift_f16_f32", false),
    ("shift_f16_bf16", false),
    ("shift_carried_f32", false),
    ("shift_carried_bf16", false),
    ("rows_f32", false),
    ("rows_bf16", false),
    ("rows_f16", false),
    ("rows_carried", false),
    ("update_f32", false),
    ("update_bf16", false),
    ("update_f16", false),
    ("update_carried", false),
    ("activate", false),
    ("rope", false),
    ("add_bias", false),
    ("pick", false),
    ("normalise", true),
    ("softmax_parts", true),
    ("attention", true),
];
const EXTRA: [&str; 3] = ["each_gaussian", "each_rounding", "each_widening"];

/// Whose text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Cuda,
    Metal,
}

thread_local! {
    static LANGUAGE: Cell<Language> = const { Cell::new(Language::Cuda) };
}

/// Runs a test under both texts; says that it is skipped where there is no compiler.
pub(crate) fn in_both(test: impl Fn()) {
    for language in [Language::Cuda, Language::Metal] {
        if library(language).is_none() {
            eprintln!("skipped: no C++ compiler (c++, g++ or clang++) to run the kernels with");
            return;
        }
        LANGUAGE.set(language);
        test();
    }
}

fn library(language: Language) -> Option<&'static Library> {
    static BOTH: [OnceLock<Option<Library>>; 2] = [const { OnceLock::new() }; 2];
    BOTH[language as usize].get_or_init(|| build(language)).as_ref()
}

fn build(language: Language) -> Option<Library> {
    let works = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    let compiler = ["c++", "g++", "clang++"].iter().find(works)?;
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/tests/shim");
    let (before, text) = match language {
        Language::Cuda => ("#include \"cuda.h\"\n", text::CUDA.to_owned()),
        // On the host lanes share what is static; Metal's own word stands for pointers too.
        Language::Metal => {
            let shared = "#define SHARED_ARRAY(type, name, len) ";
            let own = format!("{shared}threadgroup type name[len]");
            assert!(text::METAL.contains(&own));
            ("", text::METAL.replace(&own, &format!("{shared}static type name[len]")))
        }
    };
    let all = KERNELS.iter().copied().chain(EXTRA.map(|name| (name, false)));
    let launches: String = all
        .map(|(name, grouped)| {
            format!(
                "extern \"C\" int run_{name}(void **b, const void *a, unsigned g, unsigned l) {{ \
                 return host::launch<name_of_{name}>({grouped}, b, a, g, l); }}\n"
            )
            .replace("name_of_", "")
        })
        .collect();
    let source = format!("{before}{text}{}{launches}", include_str!("shim/extra.h"));
    let place: PathBuf = std::env::current_exe().expect("this program").with_file_name(format!("kernels-{language:?}"));
    std::fs::create_dir_all(&place).expect("a folder for kernels");
    let (cpp, object) = (place.join("kernels.cpp"), place.join(format!("kernels-{}.so", std::process::id())));
    std::fs::write(&cpp, source).expect("the kernels' text");
    let mut command = Command::new(compiler);
    command.args(["-std=c++17", "-O2", "-ffp-contract=off", "-fno-fast-math", "-w", "-shared", "-fPIC"]);
    if cfg!(target_arch = "x86_64") && std::arch::is_x86_feature_detected!("fma") {
        command.arg("-mfma");
    }
    let out = command.arg("-I").arg(shim).arg("-o").arg(&object).arg(&cpp).output().expect("a compiler");
    assert!(out.status.success(), "{language:?}: {}", String::from_utf8_lossy(&out.stderr));
    // SAFETY: a library without code that runs when it is loaded.
    let library = unsafe { Library::new(&object) }.expect("the kernels");
    std::fs::remove_file(&object).expect("the library's file, which is loaded");
    Some(library)
}

fn address(storage: &CpuStorage, layout: &Layout) -> Result<*mut c_void> {
    let at = layout.start_offset();
    Ok(match storage {
        CpuStorage::F32(x) => x[at..].as_ptr().cast_mut().cast(),
        CpuStorage::BF16(x) => x[at..].as_ptr().cast_mut().cast(),
        CpuStorage::F16(x) => x[at..].as_ptr().cast_mut().cast(),
        CpuStorage::U32(x) => x[at..].as_ptr().cast_mut().cast(),
        CpuStorage::U8(x) => x[at..].as_ptr().cast_mut().cast(),
        _ => bail!("a kernel does not take a buffer of this type"),
    })
}

/// Runs a kernel, `storage` being its first buffer.
pub(in crate::gpu) fn run<A: Copy>(launch: &Launch<'_, A>, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
    type Run = unsafe extern "C" fn(*mut *mut c_void, *const c_void, c_uint, c_uint) -> c_int;
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Some(library) = library(LANGUAGE.get()) else { bail!("no compiler") };
    let held: Vec<_> = launch.others.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let mut buffers = vec![address(storage, layout)?];
    for (storage, layout) in &held {
        let Storage::Cpu(storage) = &**storage else { bail!("not on the CPU") };
        buffers.push(address(storage, layout)?);
    }
    let (mut groups, lanes) = launch.shape.grid()?;
    if let Shape::Threads(_) = launch.shape {
        // Few enough that threads take several pieces of work, as on a card with more work than threads.
        groups = groups.min(3);
    }
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let args = (&raw const launch.args).cast();
    // SAFETY: the function has this type; the buffers are those of the kernel, in its order, and large enough for its
    // arguments; an update alone writes to others than the first, which its test alone holds.
    let code = unsafe {
        let run = library.get::<Run>(format!("run_{}", launch.kernel)).map_err(candle_core::Error::wrap)?;
        run(buffers.as_mut_ptr(), args, groups, lanes)
    };
    if code != 0 {
        bail!("`{}`: lanes of a group came apart at a barrier", launch.kernel);
    }
    Ok(())
}
