// What the kernels' text means in CUDA C++.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef float f32;
typedef uchar4 u8x4;
typedef ushort4 u16x4;
typedef float4 f32x4;

#define FN static __device__ __forceinline__
#define METHOD __device__ __forceinline__
// Where a pointer points to: memory of the device, of the thread, of the group.
#define GLOBAL
#define LOCAL
#define SHARED
#define SHARED_ARRAY(type, name, len) __shared__ type name[len]
#define BARRIER() __syncthreads()
// Arguments that are no buffers, as functions take them.
#define ARGS(type) const type &
#define UNROLL _Pragma("unroll")

// Operations with one correct IEEE result; none of them is ever fused with another.
FN f32 add_rn(f32 a, f32 b) { return __fadd_rn(a, b); }
FN f32 sub_rn(f32 a, f32 b) { return __fsub_rn(a, b); }
FN f32 mul_rn(f32 a, f32 b) { return __fmul_rn(a, b); }
FN f32 div_rn(f32 a, f32 b) { return __fdiv_rn(a, b); }
FN f32 sqrt_rn(f32 a) { return __fsqrt_rn(a); }
FN f32 fma_rn(f32 a, f32 b, f32 c) { return __fmaf_rn(a, b, c); }
FN f32 float_of_int(i32 a) { return __int2float_rn(a); }
FN u32 bits_of(f32 a) { return __float_as_uint(a); }
FN f32 float_of(u32 a) { return __uint_as_float(a); }
FN u32 mul_high(u32 a, u32 b) { return __umulhi(a, b); }

// A kernel whose threads share out a range: `thread_index` of `threads`.
#define BUFFER(i, type) type *b##i
#define UNPACK(...) __VA_ARGS__
#define THREADS(name, buffers, count, type, ...)                                   \
    extern "C" __global__ void name(UNPACK buffers, const type a) {                \
        const u32 thread_index = blockIdx.x * blockDim.x + threadIdx.x;                  \
        const u32 threads = gridDim.x * blockDim.x;                                \
        __VA_ARGS__;                                                               \
    }
// A kernel whose groups of lanes each do a piece of work together.
#define GROUPS(name, buffers, count, type, ...)                                    \
    extern "C" __global__ void name(UNPACK buffers, const type a) {                \
        const u32 group = blockIdx.x, lane = threadIdx.x;                          \
        __VA_ARGS__                                                                \
    }
