# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What tests/bench/generate is made of: kinds of fields, families of events, kinds of rules, and sets made to hurt."""
