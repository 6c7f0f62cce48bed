"""Epochs of a dense head, each as one graph.

A step of so small a network is quick, and half the time of Keras' ``fit`` goes to what
lies around it: fetching the batch, a call from Python for each, and Adam as a dozen
passes over all weights. Here TensorFlow runs through a whole epoch at once, with its
fused Adam, on Keras' own variables: the draws, the batches and their order are those of
``fit``, and so are the results, but for rounding. The graph takes learning rate, betas
and dropout as arguments, so that the candidates of a search share it.
"""

import functools

import numpy as np
import tensorflow as tf

from skart._keras import keras

_TUNED = ("learning_rate", "beta_1", "beta_2", "epsilon")


def can_run_epochs(network):
    """Tell if this way of training gives what Keras' does.

    Parameters
    ----------
    network : keras.Model
        A dense head, compiled with a cross-entropy loss and accuracy.

    Returns
    -------
    can_run : bool
        Whether TensorFlow computes, all layers in float32, and the optimizer is Adam
        with a fixed rate or one that callbacks set, and nothing beside it.
    """
    optimizer = network.optimizer
    if keras.backend.backend() != "tensorflow" or type(optimizer) is not (
        keras.optimizers.Adam
    ):
        return False
    config = optimizer.get_config()
    if isinstance(config["learning_rate"], dict):  # a schedule, by the step
        return False
    plain = keras.optimizers.Adam(**{name: config[name] for name in _TUNED})
    return config == {**plain.get_config(), "name": config["name"]} and all(
        layer.compute_dtype == "float32" for layer in network.layers
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
    """Train a dense head, as ``network.fit`` does.

    Parameters
    ----------
    network : keras.Model
        A dense head: pairs of Dropout and Dense layers, compiled, with Adam.
    training : Batches
        Of an array in memory.
    validation_data : Batches, default=None
        Evaluated after each epoch.
    initial_epoch : int
        Number of the first epoch.
    epochs : int
        The one after the last.
    callbacks : list of keras.callbacks.Callback
        Called as after epochs of a single batch.
    verbose : {0, 1, 2}
        As for Keras' ``fit``.
    """
    optimizer = network.optimizer
    drops, layers = network.layers[::2], network.layers[1::2]
    dense = [(layer.kernel.value, layer.bias.value) for layer in layers]
    # Keras has no public names for Adam's moments.
    moments = [
        (m.value, v.value)
        for m, v in zip(optimizer._momentums, optimizer._velocities, strict=True)
    ]
    rates = tf.constant([drop.rate for drop in drops], tf.float32)
    # A layer that drops nothing draws nothing; it is the same for all layers.
    seeds = [drop.seed_generator.state.value for drop in drops if drop.rate]
    adam = [tf.constant(float(getattr(optimizer, name))) for name in _TUNED[1:]]
    samples = training.samples
    data = [
        tf.convert_to_tensor(samples.X),
        tf.convert_to_tensor(samples.codes.astype(np.int32)),
        tf.convert_to_tensor(samples.weights),
    ]
    batch_size = tf.constant(training.batch_size)
    train_epoch, evaluate = _graphs(tuple(kernel.shape for kernel, _ in dense))

    callbacks = keras.callbacks.CallbackList(
        callbacks,
        model=network,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=epochs,
        steps=1,
    )
    network.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        training.on_epoch_end()  # as ``fit`` does, ahead of the first one, too
        callbacks.on_epoch_begin(epoch)
        callbacks.on_train_batch_begin(0)
        loss, accuracy = train_epoch(
            *data,
            rows=tf.constant(training.rows, tf.int32),
            batch_size=batch_size,
            dense=dense,
            moments=moments,
            n_steps_done=optimizer.iterations.value,
            adam=[optimizer.learning_rate.value, *adam],
            rates=rates,
            seeds=seeds,
        )
        logs = {"accuracy": float(accuracy), "loss": float(loss)}
        callbacks.on_train_batch_end(0, logs)
        if validation_data is not None:
            rows = tf.constant(validation_data.rows, tf.int32)
            loss, accuracy = evaluate(*data, rows=rows, dense=dense)
            logs |= {"val_accuracy": float(accuracy), "val_loss": float(loss)}
        callbacks.on_epoch_end(epoch, logs)
        if network.stop_training:
            break
    callbacks.on_train_end(logs)


@functools.lru_cache(maxsize=64)
def _graphs(shapes):
    """Make the graphs of heads of these shapes; tracing them takes half a second.

    Of a function of its own, each makes one graph for all numbers of rows.
    """
    return tuple(
        tf.function(function, reduce_retracing=True)
        for function in (_train_epoch, _evaluate)
    )


def _train_epoch(
    X,
    codes,
    weights,
    rows,
    batch_size,
    dense,
    moments,
    n_steps_done,
    adam,
    rates,
    seeds,
):
    learning_rate, beta_1, beta_2, epsilon = adam
    variables = [variable for pair in dense for variable in pair]
    loss, n_right = tf.zeros(()), tf.zeros(())
    for start in tf.range(0, tf.size(rows), batch_size):
        batch = rows[start : start + batch_size]
        with tf.GradientTape() as tape:
            logits = _logits(tf.gather(X, batch), dense, rates, seeds)
            losses = _losses(logits, codes, weights, batch)
            mean = tf.reduce_mean(losses)
        gradients = tape.gradient(mean, variables)
        n_steps_done.assign_add(1)
        step = tf.cast(n_steps_done, tf.float32)
        for variable, (m, v), gradient in zip(
            variables, moments, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=beta_1**step,
                beta2_power=beta_2**step,
                lr=learning_rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=epsilon,
                grad=gradient,
            )
        loss += tf.reduce_sum(losses)
        n_right += _count_right(logits, codes, batch)
    n_rows = tf.cast(tf.size(rows), tf.float32)
    return loss / n_rows, n_right / n_rows


def _evaluate(X, codes, weights, rows, dense):
    logits = _logits(tf.gather(X, rows), dense)
    losses = _losses(logits, codes, weights, rows)
    n_rows = tf.cast(tf.size(rows), tf.float32)
    return tf.reduce_mean(losses), _count_right(logits, codes, rows) / n_rows


def _logits(x, dense, rates=None, seeds=()):
    for i, (kernel, bias) in enumerate(dense):
        if seeds:
            # As Keras' layer draws: its generator counts, and is cut to 32 bits.
            seed = tf.cast(tf.math.floormod(seeds[i], tf.int32.max - 1), tf.int32)
            seeds[i].assign_add([0, 1])
            x = tf.nn.experimental.stateless_dropout(x, rates[i], seed)
        x = x @ kernel + bias
        if i < len(dense) - 1:
            x = tf.nn.relu(x)
    return x


def _losses(logits, codes, weights, rows):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        tf.gather(codes, rows), logits
    )
    return tf.gather(weights, rows) * losses


def _count_right(logits, codes, rows):
    predicted = tf.argmax(logits, axis=1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(predicted == tf.gather(codes, rows), tf.float32))
