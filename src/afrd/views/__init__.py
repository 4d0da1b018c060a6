"""Views of a part by photometric stereo: albedo, normals, without highlights, without shadows, relief. No torch."""

from afrd.views.views import Views, can_view, make_views, stereo_of

__all__ = ["Views", "can_view", "make_views", "stereo_of"]
