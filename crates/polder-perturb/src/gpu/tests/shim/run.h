// Runs kernels on the host: threads one after the other; the lanes of a group as coroutines that change at barriers, each
// on a stack of its own. A kernel whose lanes do not all reach the same barriers is refused.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

namespace host {
constexpr size_t STACK = 1 << 16;
static unsigned group, lane, groups, lanes;
static ucontext_t back;
static std::vector<ucontext_t> at;
static std::vector<char> stacks;
static std::vector<bool> done;
static void (*body)();

static void barrier() { swapcontext(&at[lane], &back); }

static void enter() {
    body();
    done[lane] = true;
    swapcontext(&at[lane], &back);
}

// 0, or 1 where lanes came apart.
static int run_group() {
    for (unsigned l = 0; l < lanes; l++) {
        getcontext(&at[l]);
        at[l].uc_stack.ss_sp = stacks.data() + l * STACK;
        at[l].uc_stack.ss_size = STACK;
        at[l].uc_link = nullptr;
        makecontext(&at[l], enter, 0);
        done[l] = false;
    }
    for (;;) {
        unsigned ended = 0;
        for (unsigned l = 0; l < lanes; l++) {
            lane = l;
            swapcontext(&back, &at[l]);
            ended += done[l];
        }
        if (ended == lanes) return 0;
        if (ended > 0) return 1;
    }
}

static int run(void (*work)(), bool grouped, unsigned group_count, unsigned lane_count) {
    body = work, groups = group_count, lanes = lane_count;
    if (grouped) at.resize(lanes), stacks.resize(lanes * STACK), done.resize(lanes);
    for (group = 0; group < groups; group++) {
        if (grouped) {
            if (run_group() != 0) return 1;
            continue;
        }
        for (lane = 0; lane < lanes; lane++) body();
    }
    return 0;
}

// Fetches one parameter of a kernel: a buffer, the arguments, or (in Metal) one of the two indices after them.
static void **buffers;
static const void *arguments;
static bool by_group;
template <class T, size_t I, size_t N>
T parameter() {
    if constexpr (std::is_pointer_v<T>) return (T)buffers[I];
    else if constexpr (!std::is_same_v<T, unsigned>) return *(const std::remove_reference_t<T> *)arguments;
    else if constexpr (I + 2 == N) return by_group ? group : group * lanes + lane;
    else return by_group ? lane : groups * lanes;
}

template <class... P, size_t... I>
void call(void (*f)(P...), std::index_sequence<I...>) {
    f(parameter<P, I, sizeof...(P)>()...);
}

template <auto f>
struct Kernel;
template <class... P, void (*f)(P...)>
struct Kernel<f> {
    static void work() { call(f, std::index_sequence_for<P...>()); }
};

template <auto f>
int launch(bool grouped, void **b, const void *a, unsigned groups, unsigned lanes) {
    buffers = b, arguments = a, by_group = grouped;
    return run(Kernel<f>::work, grouped, groups, lanes);
}
} // namespace host
