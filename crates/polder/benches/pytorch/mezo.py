"""MeZO in PyTorch as its paper describes it, to be timed beside polder.

Written from the published algorithm (Malladi et al. 2023, Algorithm 1): one seed a step, a standard normal tensor drawn
again from that seed for each use, the weights perturbed in place (+eps, -2 eps, +eps) and then updated. Every option is a
row of its own, rows are left-padded to a multiple of 8, and the head and the softmax over the vocabulary run at every
position.

    python mezo.py MODEL DATA --task sst2 [--steps 8] [--batch 16] [--threads 2] [--dtype f32] [--lr 0] [--validation 400]
"""

import torch

import training_run


def padded(rows, multiple=1, left=True):
    """Token ids and attention mask of rows of different lengths."""
    longest = -(-max(map(len, rows)) // multiple) * multiple
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(len(row))
        ids[i, place] = torch.tensor(row)
        mask[i, place] = 1
    return ids, mask


def token_log_probs(model, examples):
    """The log-probabilities of every option's tokens, and how many positions the layers ran."""
    ids, mask = padded([option for e in examples for option in e.options], multiple=8)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    log_probs = torch.log_softmax(logits[:, :-1].float(), dim=-1)
    wanted = iter(log_probs.gather(2, ids[:, 1:, None])[:, :, 0])
    return [[next(wanted)[-count:] for count in e.scored] for e in examples], ids.numel()


def add_direction(model, seed, scale):
    """Moves the weights along the seed's direction."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        z = torch.normal(0.0, 1.0, size=parameter.shape, dtype=parameter.dtype)
        parameter.data = parameter.data + scale * z


if __name__ == "__main__":
    training_run.main(training_run.Program(token_log_probs, add_direction), training_run.arguments(__doc__))
