// What CUDA C++ has and the kernels use, for a compiler of the host.
#include "run.h"

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct alignas(4) uchar4 { unsigned char x, y, z, w; };

#define blockIdx (Dimension{host::group})
#define threadIdx (Dimension{host::lane})
#define gridDim (Dimension{host::groups})
#define blockDim (Dimension{host::lanes})
struct Dimension { unsigned x; };

static void __syncthreads() { host::barrier(); }
static float __fadd_rn(float a, float b) { return a + b; }
static float __fsub_rn(float a, float b) { return a - b; }
static float __fmul_rn(float a, float b) { return a * b; }
static float __fdiv_rn(float a, float b) { return a / b; }
static float __fsqrt_rn(float a) { return std::sqrt(a); }
static float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
static float __int2float_rn(int a) { return (float)a; }
static unsigned __float_as_uint(float a) { unsigned b; std::memcpy(&b, &a, 4); return b; }
static float __uint_as_float(unsigned a) { float b; std::memcpy(&b, &a, 4); return b; }
static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
