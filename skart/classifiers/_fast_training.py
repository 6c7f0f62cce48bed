"""Training of a dense head with many steps in one graph.

A step of so small a network is quick, and Keras' ``fit`` spends most of its time around
it: on the next batch, on a call from Python, and on Adam as a dozen operations. Here
TensorFlow runs many batches at once, with its fused Adam, on the variables of Keras.
Random numbers, batches and their order are those of ``fit``, and so are the results,
except for rounding. Learning rate, betas and dropout are arguments of the graph, so
that the candidates of a search share it.
"""

import functools
import typing

import numpy as np
import tensorflow as tf

from skart.networks._keras import keras

_TUNED = ("learning_rate", "beta_1", "beta_2", "epsilon")

# Bytes of samples in one call of a graph. Python handles interrupts between calls.
_MOST_BYTES = 2**24


class _Trained(typing.NamedTuple):
    """Weights, the optimizer's state and parameters as tensors and variables."""

    mean_deviation: tuple  # by which features are standardized
    dense: list  # (kernel, bias) of each layer
    moments: list  # (m, v) of each kernel and bias
    n_steps: tf.Variable
    learning_rate: tf.Variable
    betas_epsilon: list
    rates: tf.Tensor  # of dropout
    seeds: list  # of dropout; empty if nothing is dropped


def can_run_epochs(network):
    """Return whether `run_epochs` trains a compiled dense head as Keras does."""
    # TensorFlow on one device in float32, and Adam with no more than a fixed rate, or
    # one that callbacks set.
    optimizer, is_tensorflow = (
        network.optimizer,
        keras.backend.backend() == "tensorflow",
    )
    if not is_tensorflow or type(optimizer) is not keras.optimizers.Adam:
        return False
    with network.distribute_strategy.scope():
        if tf.distribute.has_strategy():
            return False
    iteration, rate, *moments = optimizer.variables
    if rate.name != "learning_rate":  # a schedule that changes it in each step
        return False
    config = optimizer.get_config()
    plain = keras.optimizers.Adam(**{name: config[name] for name in _TUNED})
    return (
        config == {**plain.get_config(), "name": config["name"]}
        and all(layer.compute_dtype == "float32" for layer in network.layers)
        and all(variable.dtype == "float32" for variable in (rate, *moments))
    )


def run_epochs(
    network,
    training,
    *,
    validation_data=None,
    initial_epoch,
    epochs,
    callbacks,
    verbose,
):
    """Train a compiled dense head like ``network.fit`` with these arguments.

    Callbacks are called after many batches instead of each.
    """
    trained = _collect(network)
    shapes = tuple(tuple(kernel.shape) for kernel, _ in trained.dense)
    train, evaluate = _graphs(shapes)
    batch_size = tf.constant(training.batch_size)
    n_bytes = training.batch_size * shapes[0][0] * 4
    n_at_once = max(1, _MOST_BYTES // n_bytes)

    callbacks = keras.callbacks.CallbackList(
        callbacks,
        model=network,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=len(training),
    )
    network.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        training.on_epoch_end()  # like ``fit``, also ahead of the first epoch
        callbacks.on_epoch_begin(epoch)
        sums = []
        for first, last, part in _parts(training, n_at_once):
            callbacks.on_train_batch_begin(first)
            sums.append([float(x) for x in train(*part, batch_size, trained)])
            logs = _means(sums)
            callbacks.on_train_batch_end(last, logs)
            if network.stop_training:
                break
        if validation_data is not None:
            sums = [
                [float(x) for x in evaluate(*part, trained)]
                for _, _, part in _parts(validation_data, n_at_once)
            ]
            means = _means(sums).items()
            logs = logs | {f"val_{name}": value for name, value in means}
        callbacks.on_epoch_end(epoch, logs)
        if network.stop_training:
            break
    callbacks.on_train_end(logs)


def _parts(batches, n_at_once):
    """Yield the first and last batch of each call of the graph, and their samples."""
    for first in range(0, len(batches), n_at_once):
        last = min(first + n_at_once, len(batches)) - 1
        yield first, last, batches.read(first, last)


def _means(sums):
    """Compute accuracy and loss from the sums of each part."""
    loss, n_right, n = np.sum(sums, axis=0).tolist()
    return {"accuracy": n_right / n, "loss": loss / n}


def _collect(network):
    kinds = keras.layers.Normalization, keras.layers.Dropout, keras.layers.Dense
    standardize, drops, layers = (
        [layer for layer in network.layers if isinstance(layer, kind)] for kind in kinds
    )
    optimizer = network.optimizer
    iteration, learning_rate, *moments = (x.value for x in optimizer.variables)
    return _Trained(
        mean_deviation=_mean_deviation(*standardize),
        dense=[(layer.kernel.value, layer.bias.value) for layer in layers],
        moments=list(zip(moments[::2], moments[1::2], strict=True)),
        n_steps=iteration,
        learning_rate=learning_rate,
        betas_epsilon=[
            tf.constant(float(getattr(optimizer, name))) for name in _TUNED[1:]
        ],
        rates=tf.constant([drop.rate for drop in drops], tf.float32),
        # Without dropout, a layer draws no random numbers. All layers have one rate.
        seeds=[drop.seed_generator.state.value for drop in drops if drop.rate],
    )


def _mean_deviation(layer=None):
    if layer is None:
        return tf.zeros(()), tf.ones(())
    deviation = tf.maximum(tf.sqrt(layer.variance), keras.config.epsilon())
    return layer.mean, deviation


# As many as a search has widths: on a worker, candidates come in any order. A pair of
# graphs takes 5 MB.
@functools.lru_cache(maxsize=64)
def _graphs(shapes):
    """Return functions that train and evaluate heads of these shapes."""
    # Tracing takes half a second. A function for each shape has one graph for all
    # numbers of rows.
    return tuple(
        tf.function(function, reduce_retracing=True) for function in (_train, _evaluate)
    )


def _train(X, codes, weights, batch_size, trained):
    beta_1, beta_2, epsilon = trained.betas_epsilon
    variables = [variable for pair in trained.dense for variable in pair]
    loss, n_right = tf.zeros(()), tf.zeros((), tf.int32)
    X = _standardize(X, trained)
    for start in tf.range(0, tf.size(codes), batch_size):
        batch = slice(start, start + batch_size)
        with tf.GradientTape() as tape:
            logits = _logits(X[batch], trained.dense, trained.rates, trained.seeds)
            losses = _losses(logits, codes[batch], weights[batch])
            mean = tf.reduce_mean(losses)
        gradients = tape.gradient(mean, variables)
        trained.n_steps.assign_add(1)
        step = tf.cast(trained.n_steps, tf.float32)
        for variable, (m, v), gradient in zip(
            variables, trained.moments, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=beta_1**step,
                beta2_power=beta_2**step,
                lr=trained.learning_rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
            )
        loss += tf.reduce_sum(losses)
        n_right += _count_right(logits, codes[batch])
    return loss, n_right, tf.size(codes)


def _evaluate(X, codes, weights, trained):
    logits = _logits(_standardize(X, trained), trained.dense)
    loss = tf.reduce_sum(_losses(logits, codes, weights))
    return loss, _count_right(logits, codes), tf.size(codes)


def _standardize(X, trained):
    mean, deviation = trained.mean_deviation
    return (X - mean) / deviation


def _logits(x, dense, rates=None, seeds=()):
    for i, (kernel, bias) in enumerate(dense):
        if seeds:
            # Like Keras' layer: its generator counts, and the seed is cut to 32 bits.
            seed = tf.cast(tf.math.floormod(seeds[i], tf.int32.max - 1), tf.int32)
            seeds[i].assign_add([0, 1])
            x = tf.nn.experimental.stateless_dropout(x, rates[i], seed)
        x = x @ kernel + bias
        if i < len(dense) - 1:
            x = tf.nn.relu(x)
    return x


def _losses(logits, codes, weights):
    return weights * tf.nn.sparse_softmax_cross_entropy_with_logits(codes, logits)


def _count_right(logits, codes):
    predicted = tf.argmax(logits, axis=1, output_type=codes.dtype)
    return tf.reduce_sum(tf.cast(predicted == codes, tf.int32))
