// What the kernels' text means in the Metal Shading Language.
#include <metal_stdlib>
using namespace metal;
// Whatever the compiler's options say: no reassociation, no contraction.
#pragma METAL fp math_mode(safe)
#pragma METAL fp contract(off)

typedef uchar u8;
typedef ushort u16;
typedef uint u32;
typedef ulong u64;
typedef int i32;
typedef float f32;
typedef uchar4 u8x4;
typedef ushort4 u16x4;
typedef float4 f32x4;

#define FN static inline
#define METHOD inline
// Where a pointer points to: memory of the device, of the thread, of the group.
#define GLOBAL device
#define LOCAL thread
#define SHARED threadgroup
#define SHARED_ARRAY(type, name, len) threadgroup type name[len]
#define BARRIER() threadgroup_barrier(mem_flags::mem_threadgroup)
// Arguments that are no buffers, as functions take them.
#define ARGS(type) constant type &
#define UNROLL _Pragma("unroll")

// Operations with one correct IEEE result; none of them is ever fused with another.
FN f32 add_rn(f32 a, f32 b) { return a + b; }
FN f32 sub_rn(f32 a, f32 b) { return a - b; }
FN f32 mul_rn(f32 a, f32 b) { return a * b; }
FN f32 div_rn(f32 a, f32 b) { return a / b; }
FN f32 sqrt_rn(f32 a) { return precise::sqrt(a); }
FN f32 fma_rn(f32 a, f32 b, f32 c) { return fma(a, b, c); }
FN f32 float_of_int(i32 a) { return float(a); }
FN u32 bits_of(f32 a) { return as_type<uint>(a); }
FN f32 float_of(u32 a) { return as_type<float>(a); }
FN u32 mul_high(u32 a, u32 b) { return mulhi(a, b); }

// A kernel whose threads share out a range: `thread_index` of `threads`.
#define BUFFER(i, type) device type *b##i [[buffer(i)]]
#define UNPACK(...) __VA_ARGS__
#define THREADS(name, buffers, count, type, ...)                                   \
    kernel void name(UNPACK buffers, constant type &a [[buffer(count)]],           \
                     uint thread_of [[thread_position_in_grid]],                   \
                     uint threads_of [[threads_per_grid]]) {                       \
        const u32 thread_index = thread_of, threads = threads_of;                  \
        __VA_ARGS__;                                                               \
    }
// A kernel whose groups of lanes each do a piece of work together.
#define GROUPS(name, buffers, count, type, ...)                                    \
    kernel void name(UNPACK buffers, constant type &a [[buffer(count)]],           \
                     uint group [[threadgroup_position_in_grid]],                  \
                     uint lane [[thread_position_in_threadgroup]]) {               \
        __VA_ARGS__                                                                \
    }
