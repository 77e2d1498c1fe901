// SPDX-License-Identifier: GPL-2.0
/*
 * Draws one triangle off-screen with Mesa's driver of the GPU and waits until the GPU says that it is done.
 *
 * The pixels are not looked at: a software GPU need not render. What counts is that the driver accepts the device, that
 * its batches complete, and that a fence signals. Prints GL_RENDERER and PASS, or FAIL with the cause.
 */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 64
/* A second per frame is long even for a GPU in software on a loaded machine. */
#define FENCE_NANOSECONDS (20ull * 1000 * 1000 * 1000)

static void fail(const char *format, ...)
{
	va_list list;

	printf("FAIL ");
	va_start(list, format);
	vprintf(format, list);
	va_end(list);
	printf("\n");
	exit(1);
}

static GLuint shader(GLenum kind, const char *text)
{
	GLuint name = glCreateShader(kind);
	GLint good = 0;
	char log[512] = "";

	glShaderSource(name, 1, &text, NULL);
	glCompileShader(name);
	glGetShaderiv(name, GL_COMPILE_STATUS, &good);
	if (!good) {
		glGetShaderInfoLog(name, sizeof(log), NULL, log);
		fail("a shader does not compile: %s", log);
	}
	return name;
}

static GLuint program(void)
{
	GLuint name = glCreateProgram();
	GLint good = 0;

	glAttachShader(name, shader(GL_VERTEX_SHADER,
		"attribute vec2 place; void main() { gl_Position = vec4(place, 0.0, 1.0); }"));
	glAttachShader(name, shader(GL_FRAGMENT_SHADER,
		"precision mediump float; void main() { gl_FragColor = vec4(1.0, 0.5, 0.25, 1.0); }"));
	glBindAttribLocation(name, 0, "place");
	glLinkProgram(name);
	glGetProgramiv(name, GL_LINK_STATUS, &good);
	if (!good)
		fail("the program does not link");
	return name;
}

static void context(void)
{
	static const EGLint attributes[] = { EGL_CONTEXT_MAJOR_VERSION, 3, EGL_NONE };
	PFNEGLGETPLATFORMDISPLAYEXTPROC get_display =
		(PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
	EGLDisplay display;
	EGLContext made;
	EGLint major, minor;

	if (!get_display)
		fail("EGL cannot choose a platform (eglGetPlatformDisplayEXT is missing)");
	display = get_display(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
	if (display == EGL_NO_DISPLAY)
		fail("EGL has no surfaceless platform");
	if (!eglInitialize(display, &major, &minor))
		fail("eglInitialize: error %#x", eglGetError());
	if (!eglBindAPI(EGL_OPENGL_ES_API))
		fail("eglBindAPI: error %#x", eglGetError());
	made = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);
	if (made == EGL_NO_CONTEXT)
		fail("eglCreateContext: error %#x", eglGetError());
	if (!eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, made))
		fail("eglMakeCurrent: error %#x", eglGetError());
}

int main(int argc, char **argv)
{
	static const GLfloat corners[] = { -0.9f, -0.9f, 0.9f, -0.9f, 0.0f, 0.9f };
	const char *renderer;
	GLuint frame, colour;
	GLsync fence;
	GLenum state;
	int any = argc > 1 && strcmp(argv[1], "--any-renderer") == 0;

	/* Mesa's messages and ours shall come in the order in which things happen. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	context();
	renderer = (const char *)glGetString(GL_RENDERER);
	printf("GL_RENDERER %s\n", renderer ? renderer : "(none)");
	printf("GL_VERSION %s\n", (const char *)glGetString(GL_VERSION));
	if (!any && (!renderer || !strstr(renderer, "Intel")))
		fail("Mesa does not use its driver for the Intel GPU");

	glGenRenderbuffers(1, &colour);
	glBindRenderbuffer(GL_RENDERBUFFER, colour);
	glRenderbufferStorage(GL_RENDERBUFFER, GL_RGBA8, SIDE, SIDE);
	glGenFramebuffers(1, &frame);
	glBindFramebuffer(GL_FRAMEBUFFER, frame);
	glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, colour);
	state = glCheckFramebufferStatus(GL_FRAMEBUFFER);
	if (state != GL_FRAMEBUFFER_COMPLETE)
		fail("the frame buffer is not complete: %#x", state);

	glViewport(0, 0, SIDE, SIDE);
	glUseProgram(program());
	glClearColor(0.0f, 0.0f, 0.25f, 1.0f);
	glClear(GL_COLOR_BUFFER_BIT);
	glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, corners);
	glEnableVertexAttribArray(0);
	glDrawArrays(GL_TRIANGLES, 0, 3);

	fence = glFenceSync(GL_SYNC_GPU_COMMANDS_COMPLETE, 0);
	if (!fence)
		fail("glFenceSync: error %#x", glGetError());
	state = glClientWaitSync(fence, GL_SYNC_FLUSH_COMMANDS_BIT, FENCE_NANOSECONDS);
	if (state != GL_ALREADY_SIGNALED && state != GL_CONDITION_SATISFIED)
		fail("the fence did not signal: %#x", state);
	printf("fence signalled\n");
	glFinish();
	state = glGetError();
	if (state != GL_NO_ERROR)
		fail("GL error %#x", state);
	printf("PASS\n");
	return 0;
}
