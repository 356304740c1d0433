"""A sweep: variants of one recipe, each made and measured, on Ray.

A point of the sweep is the recipe with some fields set. Points whose weights are trained alike share that training: it runs once,
before them. What is made is kept by content as a build's is, and each point's figures under the key of all that they come from, so that
a sweep that was stopped goes on. Machines of a cluster share all that where `cache` is a folder that all of them see.
"""
